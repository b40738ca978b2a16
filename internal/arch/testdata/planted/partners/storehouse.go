package partners

import _ "github.com/jackc/pgx/v5" // want seam
