-- severity: warning
-- protects: from rates and quantities that are no numbers, and are missing from unit prices
-- action: the costs are right, they are not made of these; look at the named lines in the raw export, and ask the
--   provider what the text means

-- Some exports have rates as text. One line stands for all that hold the same text.

select
    column_name,
    value,
    lines,
    line
from ({unreadable}) as unreadable
