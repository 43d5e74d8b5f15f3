"""The bundled sample: traces.jsonl and, apart from it, gold.csv. README.md says what it is."""
