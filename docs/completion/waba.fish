waba completion fish | source
