"""What the commands of `intent-assets` do; cli.py names them and their options. launch.py runs jobs, terminal.py prints."""
