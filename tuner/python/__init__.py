"""The program as Python objects: what `import tuner` offers, with every option of a command under its name."""
