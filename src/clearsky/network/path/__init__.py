"""What happens to a packet between two places of the cloud, hop by hop: which object lets it through, or stops it.

`ends` finds the two places, `surroundings` says what guests and the outside do with a packet, `journey` sends it there
and its answer back, `follow` lets OVN trace each way, `tell` puts OVN's words into those of our objects, `shown` hides
what is not the asker's.
"""
