"""Builds guest images from the distribution's packages: nothing is downloaded ready-made."""
