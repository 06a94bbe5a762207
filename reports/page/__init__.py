"""report.html: what a person reads; numbers are placed here, drawn by the templates."""
