"""Dashboards and questions for other tools: Grafana, Metabase and Superset.

The modules here write the JSON files of `grafana/`, because typed builders notice a misspelt option, and because all
panels then share one definition of what is chosen (`sql`). Grafana and the servers of this project never run them.
"""
