"""Vendors, storage and models behind the Protocols of contracts.py, one per file. The vendor is imported inside functions."""
