"""Draws: diagrams as Mermaid and SVG, values as HTML. Pure Python, no JavaScript, everything escaped.

Plain data in, text out. Imports nothing of penguiray, so that errors too can say how they look. What a flow looks like
as a diagram is said in `graph/picture.py`.
"""
