"""Bytes and types: what evidence, endorsements, images and messages look like. Nothing here is believed yet."""
