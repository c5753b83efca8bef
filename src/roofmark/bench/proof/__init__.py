def prove_triton_cache(build, folder): return build
