"""From the files of a delivery to a raw table: shapes, columns, decoders, encoders, COPY."""
