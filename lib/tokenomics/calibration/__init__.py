"""Everything that is fitted: operators, engines, intervals. The rest of the library reads the tables written here."""
