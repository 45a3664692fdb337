"""From configurations to objects: the only floor where networks, conditions, data, samplers and judges meet in use.

    device        where tensors live
    sources       where faces come from
    first_stage   a trained autoencoder, ready to encode and decode
    generator     a trained diffusion model, ready to sample
    judges        trained parsers and classifiers
    training      what `facecond train` hands to the training loop
"""
