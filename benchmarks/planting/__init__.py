"""Folders with a known fault, made in memory of stored photos: what benchmarks/planted.py audits."""
