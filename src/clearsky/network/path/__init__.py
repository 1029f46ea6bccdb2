"""What happens to a packet between two places of the cloud, hop by hop: which object lets it through, or stops it.

`ends` finds the two places, `surroundings` says what guests and the outside do with a packet, `follow` lets OVN trace
it there and its answer back, `tell` puts OVN's words into those of our objects, `shown` hides what is not the asker's.
"""
