"""Authentication: a method a file behind one small interface (interface.py), and what becomes of the proofs.

`issue.py` runs the methods that a request names, checks the user's rules about combining them, finds out what the
token is to be for, and makes it.
"""
