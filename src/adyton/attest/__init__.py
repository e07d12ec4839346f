"""Authentication: is this evidence what it says it is? Facts are recorded here and judged by `adyton.policy`."""
