-- focus_costs: every <source>_focus, all FOCUS 1.2 columns in lower case, so that the specification's own
-- spelling works unquoted. This is the select of one source; the view is the union of all.

select
    {columns},
    {source}::text as x_source
from {focus}
