"""OpenGait's YAML files: reading, schema, ranges of values."""
