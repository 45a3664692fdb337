"""The networks that measure: a face parser and an attribute classifier. They read uint8 pictures and are never what is
measured."""
