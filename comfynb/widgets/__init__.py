"""Widgets for notebooks, each with a plain-text and an HTML twin. ipywidgets is imported with the first one."""
