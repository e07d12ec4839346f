"""Appraisal: is authentic evidence good enough for this purpose? Each rule is one named check."""
