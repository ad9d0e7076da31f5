"""What the benchmark needs beside the connector: an estate, a service that gives it out, and those who read it."""
