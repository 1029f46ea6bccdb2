"""Users from elsewhere: claims of an identity provider, the mapping language, and the local user they lead to.

`openid.py` proves claims (OpenID Connect), `mapping.py` turns them into a user, groups and projects (pure), and
`shadow.py` writes these down.
"""
