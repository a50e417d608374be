"""All fits to measurements: operators, engines, intervals. The rest of the library reads the tables written here."""
