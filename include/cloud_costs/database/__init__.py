"""PostgreSQL: sessions, locks, the files of `include/sql`, and the tables that every source shares."""
