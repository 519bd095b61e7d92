"""Problems that others have published, written as plain scalar or NumPy code."""
