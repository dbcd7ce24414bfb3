"""Tests of the deployed stack, which most of them share."""
