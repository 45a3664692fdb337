"""Names of the 40 attributes and of the 19 classes, in the orders used everywhere; this file loads nothing."""

ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes",
    "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
    "Wearing_Necktie", "Young",
)  # fmt: skip
"""Attribute names in CelebA's order, the order of every attribute vector."""

NUM_ATTRIBUTES = len(ATTRIBUTES)

CLASSES: tuple[str, ...] = (
    "background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear",
    "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
"""Class names in CelebAMask-HQ's order, which is the order inside this package. `l_`/`r_` are the subject's own sides,
`eye_g` glasses, `ear_r` an earring, `neck_l` a necklace, `mouth` the inside of an open mouth."""

PARTS: tuple[str, ...] = CLASSES[1:]
"""The 18 parts: every class but the background. Part k of a stack of channels is class k + 1."""

NUM_CLASSES = len(CLASSES)
