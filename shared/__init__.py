"""What every function uses: contracts, the pipeline table, the runtime and its adapters."""
