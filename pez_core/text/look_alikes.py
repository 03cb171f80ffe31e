"""Letters of other scripts that look like Latin ones.

The letters and zeros of Unicode's UTS #39, and others chosen by eye: what a reader takes for a
Latin letter in the middle of a Latin word. Latin letters with strokes, hooks, turned, small capital
or enclosed are only here if their names say another letter: `text.reading` knows them by their
names. A letter without an entry for its case has that of the other case.
But: every letter has one reading, so а Greek nu is "v" and a capital one "n". Signs that stand for
letters ("p1zz@", "|") are not here.
"""

from __future__ import annotations

_LETTERS = {
    "a": "ΑαАΛΔДⲀɑⱭᎪᗅᗩꓮ⍺Ʌ𐊠𖽀",
    "b": "ΒβВЬЪБⲂƄꞴᏴᏏᗷᑲꓐᖯ𐊂𐊡𐌁",
    "c": "СϹϲςҪⲤᏟᑕꓚ𐐕𐊢𐌂𐔜🝌",
    "d": "ԀÐĐδձᎠᏧᗞᗪᑯꓓꓒ",
    "e": "ΕεЕЄЭҼҾΣƏӘⲈᎬꓰⴹ℮𑢦𑢮𐊆⋿",
    "f": "ϜՖքҒᖴꓝ𑢢𐊇𐊥𐔥",
    "g": "ԌցᏀᏳꓖƍ",
    "h": "ΗНҢҤӇӉҺЋЂհիⲎᎻᏂᕼꓧ𐋏",
    "i": "ΙιІꙆⲒƖᎥᛁꓲⵏ⍳𐌉𐊊𖼨",
    "j": "ϳͿЈյᎫᒍꓙ",
    "k": "ΚκКҚҜҠҞӃԞⲔᏦᛕꓗĸ𐔘",
    "l": "ӀӏⳐլᏞᒪꓡǀ𐐛𑢣𑢲𐔦𖼖𐌠",
    "m": "ΜМӍϺⲘᎷᗰᛖꓟʍ𐊰𐌑𑜀",
    "n": "ΝηпПИπոռղⲚꓠᑎŊ𐔓",
    "o": "ΟοОӨѲΘθσՕⲞჿⵔꓳ𐐄𐓂〇ဝഠዐଠס๏०੦૦௦౦೦൦๐໐၀০୦𑓐𑣈𑣠𐊒𐊫𐔖ంಂംං𑣗",
    "p": "ΡρРҎⲢᏢᑭꓑÞǷᴩ⍴𐊕",
    "q": "ԚϘգզⵕ",
    "r": "ГҐЯΓրⲄᎡᏒᖇꓣᴦƦᎱ𐒴𖼵",
    "s": "ЅՏⲊᏕᏚꓢƼ𐐠ട𑣁𐊖𖼺",
    "t": "ΤτТҬեⲦᎢꓔ⊤⟙𐊗𐊱𐌕𖼊𑢼",
    "u": "υμЦЏՍᑌꓴƱꞞ𐓎∪⋃𑢸ሀ𖽂",
    "v": "νѴᏙᐯⴸꓦ∨⋁𑢠𑜆ꛟ𖼈𐔝",
    "w": "ωΩѠԜШЩաᎳᏔᗯꓪƜⲰሠ𑜊𑜎𑜏",
    "x": "ΧХҲӼЖⲬᚷⵝꓫᕁ᙭Ꭓ×ᕽ╳⤫⤬⨯𐊐𐊴𐌗𐌢𐔧",
    "y": "ΥУγҮҰЧⲨყᎩᎽꓬƔ𑢤𐊲𖽃",
    "z": "ΖζЗӠⲌᏃꓜƷ𑢩",
    "ae": "ÆӔ",
    "oe": "Œ",
}
LOOK_ALIKES = {sign: letters for letters, signs in _LETTERS.items() for sign in signs}
