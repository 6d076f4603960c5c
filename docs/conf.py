"""Sphinx: documents in Markdown (MyST), interfaces from the headers (Doxygen, Breathe)."""
import os

project = "missive-sim"
author = "the missive-sim authors"
extensions = ["myst_parser", "breathe"]
source_suffix = {".md": "markdown"}
master_doc = "index"
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "240px"}
html_sidebars = {"**": ["navigation.html", "searchbox.html"]}
myst_heading_anchors = 3
# Fenced blocks are shown as they are; an unknown language is no error of the text.
highlight_language = "none"

# scripts/docs sets it: where Doxygen wrote its XML.
breathe_projects = {"missive-sim": os.environ.get("MISSIVE_DOXYGEN_XML", "xml")}
breathe_default_project = "missive-sim"
breathe_default_members = ("members", "undoc-members")
