"""Kinds of file by their suffix: names alone, so that the help of a command waits for no reader."""

__all__ = ["FORMATS", "OUTPUTS", "PAGES", "SUFFIXES"]

FORMATS = {
    ".sdf": "sdf", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".xyz": "xyz", ".extxyz": "xyz", ".smi": "smi",
}  # fmt: skip
"""Files of molecules; all but Parquet also with ``.gz``."""

SUFFIXES = f"{' '.join(FORMATS)}, all but .parquet also with .gz"
PAGES = (".html", ".png", ".svg")
"""What is to look at: a report, pictures."""
OUTPUTS = f"{SUFFIXES}; .html (a report), .png or .svg (pictures)"
