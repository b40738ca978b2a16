module handover/keys/vaulttest
