"""Handles on runs: live status, outputs, explanations."""
