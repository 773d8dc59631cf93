"""The words that are spoken: lines of Debian's word lists, and invented syllables for languages without a list.

No text of anybody's: single words in random order. Words for numbers may occur as ordinary words of the lists (the sets
that the network is judged on contain spoken digits); recordings of people never occur. No numerals are used.
"""

import hashlib
import mmap
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

FOLDER: Final = Path("/usr/share/dict")
PACKAGES: Final = (
    "wamerican wngerman wspanish wfrench witalian wdutch wportuguese wbrazilian wpolish wswedish wdanish wnorwegian "
    "wukrainian wbulgarian wcatalan wesperanto wfaroese"
)
LATIN_1: Final = ("bokmaal", "nynorsk", "swedish")
HELD_OUT_WORDS: Final = ("yes", "no", "left", "right", "up", "down", "stop", "go")  # the demo's own words


@dataclass(frozen=True)
class Language:
    """A voice of espeak-ng and where its words come from.

    Attributes:
        voice: espeak-ng's name.
        list: A word list's file name, or empty.
        onsets: Of invented syllables, separated by spaces; ``-`` is none.
        vowels: Of invented syllables.
        codas: Of invented syllables.
        weight: How often it is drawn.
    """

    voice: str
    list: str = ""
    onsets: str = ""
    vowels: str = ""
    codas: str = "-"
    weight: float = 1.0


_PLAIN: Final = "b d f g h j k l m n p r s t v z"
_ARABIC: Final = "ب ت ث ج ح خ د ذ ر ز س ش ص ض ط ظ ع غ ف ق ك ل م ن ه و ي"
_CYRILLIC: Final = "б в г д ж з к л м н п р с т ф х ц ч ш"
_JAPANESE: Final = (
    "か き く け こ さ し す せ そ た ち つ て と な に ぬ ね の は ひ ふ へ ほ ま み む め も や "
    "ゆ よ ら り る れ ろ わ が ぎ ぐ げ ご ざ じ ず ぜ ぞ だ で ど ば び ぶ べ ぼ ぱ ぴ ぷ ぺ ぽ"
)
_PINYIN: Final = "b p m f d t n l g k h j q x zh ch sh r z c s y w"

WITH_LISTS: Final = (
    Language("en-us", "american-english", weight=2),
    Language("en", "american-english", weight=2),
    Language("en-029", "american-english", weight=0.5),
    Language("en-gb-scotland", "american-english", weight=0.5),
    Language("en-gb-x-rp", "american-english", weight=0.5),
    Language("en-us-nyc", "american-english", weight=0.5),
    Language("de", "ngerman", weight=2),
    Language("es", "spanish", weight=1.5),
    Language("es-419", "spanish"),
    Language("fr", "french", weight=1.5),
    Language("fr-be", "french", weight=0.5),
    Language("it", "italian", weight=1.5),
    Language("nl", "dutch", weight=1.5),
    Language("pt", "portuguese", weight=1.5),
    Language("pt-br", "brazilian"),
    Language("pl", "polish", weight=1.5),
    Language("sv", "swedish", weight=1.5),
    Language("da", "danish", weight=1.5),
    Language("nb", "bokmaal"),
    Language("nb", "nynorsk", weight=0.5),
    Language("uk", "ukrainian", weight=1.5),
    Language("bg", "bulgarian", weight=1.5),
    Language("ca", "catalan", weight=1.5),
    Language("eo", "esperanto", weight=1.5),
    Language("is", "faroese", weight=1.5),  # there is no Faroese voice; Icelandic is the nearest
)
INVENTED: Final = (
    Language("ar", "", _ARABIC, "َ ُ ِ ا ُو ِي", "- - ب د ر س ل م ن ق ك", weight=3),
    Language("fa", "", _ARABIC + " پ چ گ ژ", "َ ُ ِ ا و ی", "- ر ن م ش"),
    Language("ur", "", "ب پ ت ٹ ج چ خ د ڈ ر ز س ش ف ق ک گ ل م ن ہ", "ا و ی ے", "- ن ر ل"),
    Language("he", "", "ב ג ד ה ז ח ט כ ל מ נ ס פ צ ק ר ש ת", "ַ ֶ ִ ֹ ֻ", "- ל מ נ ר ת"),
    Language("am", "", "በ ተ ነ መ ሰ ለ ረ ከ ደ ገ", "- ባ ቱ ኒ ሜ ሶ ል ራ", "- ን ት"),
    Language("mt", "", "b ċ d f ġ g għ h ħ j k l m n p q r s t v x ż z", "a e i o u ie", "- n t l r", weight=1.5),
    Language("hi", "", "क ख ग घ च छ ज झ ट ठ ड ढ त थ द ध न प फ ब भ म य र ल व श स ह", "- ा ि ी ु ू े ै ो ौ", "- - न म र ल क"),
    Language("ne", "", "क ख ग च ज ट ड त थ द ध न प ब भ म य र ल स ह", "- ा ि ी ु े ो", "- न म र"),
    Language("mr", "", "क ख ग च ज ट ड त थ द ध न प ब भ म य र ल स ह ळ", "- ा ि ी ु े ो", "- न म र"),
    Language("bn", "", "ক খ গ চ ছ জ ট ড ত থ দ ধ ন প ফ ব ভ ম র ল শ স হ", "- া ি ী ু ে ো", "- ন ম র"),
    Language("gu", "", "ક ખ ગ ચ જ ટ ડ ત થ દ ધ ન પ બ ભ મ ર લ વ સ હ", "- ા િ ી ુ ે ો", "- ન મ"),
    Language("pa", "", "ਕ ਖ ਗ ਚ ਜ ਟ ਡ ਤ ਥ ਦ ਨ ਪ ਬ ਮ ਰ ਲ ਵ ਸ ਹ", "- ਾ ਿ ੀ ੁ ੇ ੋ", "- ਨ ਮ"),
    Language("ta", "", "க ச ட த ந ன ப ம ய ர ல வ ள", "- ா ி ீ ு ூ ெ ே ை ொ", "- ம் ன் ல் ர்"),
    Language("te", "", "క గ చ జ ట డ త ద న ప బ మ య ర ల వ స హ", "- ా ి ీ ు ూ ె ే ొ ో"),
    Language("kn", "", "ಕ ಗ ಚ ಜ ಟ ಡ ತ ದ ನ ಪ ಬ ಮ ಯ ರ ಲ ವ ಸ ಹ", "- ಾ ಿ ು ೂ ೆ ೇ ೊ ೋ"),
    Language("ml", "", "ക ഗ ച ജ ട ഡ ത ദ ന പ ബ മ യ ര ല വ സ ഹ", "- ാ ി ീ ു ൂ െ േ ൊ ോ"),
    Language("si", "", "ක ග ච ජ ට ඩ ත ද න ප බ ම ය ර ල ව ස හ", "- ා ි ී ු ෙ ො"),
    Language("cmn-latn-pinyin", "", _PINYIN, "a ā á ǎ à ē é è ī í ǐ ì ō ó ò ū ú ǔ ù āi áo ǒu", "- - n ng", weight=2),
    Language("hak", "", "b p m f d t n l g k h z c s", "a e i o u", "- - n ng"),
    Language(
        "vi",
        "",
        "b c ch d đ g h kh l m n ng nh ph r s t th tr v x",
        "a à á ả ã ạ ê ề ế ô ố ộ i ì í u ú ư ơ ờ ớ",
        "- n ng c t m",
        weight=1.5,
    ),
    Language("th", "", "ก ข ค ง จ ช ด ต ท น บ ป พ ฟ ม ย ร ล ว ส ห", "า ะ ิ ี ุ ู", "- น ง ม ก"),
    Language("ja", "", _JAPANESE, "-", "- - - ん", weight=1.5),
    Language(
        "ko",
        "",
        "가 나 다 라 마 바 사 자 차 카 타 파 하 거 너 더 러 고 노 도 로 구 누 두 무 기 니 디 미 비 시 게 네 데",
        "-",
        "- - 안 은 을",
    ),
    Language("tr", "", "b c ç d f g h k l m n p r s ş t v y z", "a e ı i o ö u ü", "- - k l m n r t", weight=1.5),
    Language("az", "", "b c ç d f g x k q l m n p r s ş t v y z", "a e ə ı i o ö u ü", "- l n r"),
    Language("kk", "", "б в г ғ д ж з к қ л м н ң п р с т х ш", "а ә е о ө ұ ү ы і", "- л н р т"),
    Language("tt", "", "б в г д җ з к л м н ң п р с т ч ш", "а ә е о ө у ү ы и", "- л н р"),
    Language("fi", "", "h j k l m n p r s t v kk tt ll", "a ä e i o ö u y aa ää ie uo yö", "- - n s t l", weight=1.5),
    Language("et", "", "b d g h j k l m n p r s t v", "a ä e i o õ ö u ü aa ee", "- n s l"),
    Language(
        "hu",
        "",
        "b c cs d f g gy h j k l m n ny p r s sz t v z zs",
        "a á e é i í o ó ö ő u ú ü ű",
        "- k l n r t sz",
        weight=1.5,
    ),
    Language("ru", "", _CYRILLIC, "а е и о у ы э ю я ё", "- - к л н р т сть", weight=2),
    Language("sr", "", _CYRILLIC + " љ њ ђ џ", "а е и о у", "- к л н р"),
    Language("mk", "", _CYRILLIC + " ѓ ќ", "а е и о у", "- к л н р"),
    Language("cs", "", _PLAIN + " č ř š ž ch ď ť ň", "a á e é ě i í o u ů y", "- k l n r st", weight=1.5),
    Language("sk", "", _PLAIN + " č š ž ch ď ť ň ľ", "a á ä e é i í o ô u", "- k l n r"),
    Language("sl", "", _PLAIN + " č š ž", "a e i o u", "- k l n r"),
    Language("hr", "", _PLAIN + " č ć š ž đ lj nj", "a e i o u", "- k l n r"),
    Language("lt", "", _PLAIN + " č š ž", "a ą e ė i y o u ū ai au", "s s n r -"),
    Language("lv", "", _PLAIN + " č š ž ķ ļ ņ", "a ā e ē i ī o u ū", "- s n r"),
    Language("ro", "", _PLAIN + " ș ț c ch ge", "a ă â e i o u ea", "- l n r t"),
    Language("sq", "", _PLAIN + " ç dh gj ll nj q rr sh th xh", "a e ë i o u y", "- n r t"),
    Language("el", "", "β γ δ ζ θ κ λ μ ν ξ π ρ σ τ φ χ ψ", "α ε η ι ο υ ω ά έ ί ό ού αι", "- - ς ν", weight=1.5),
    Language("ka", "", "ბ გ დ ვ ზ თ კ ლ მ ნ პ ჟ რ ს ტ ფ ქ ღ ყ შ ჩ ც ძ წ ჭ ხ ჯ ჰ", "ა ე ი ო უ", "- ს რ ნ"),
    Language("hy", "", "բ գ դ զ թ ժ լ խ կ հ ձ ղ ճ մ ն շ չ պ ջ ռ ս վ տ ր ց փ ք", "ա ե ի ո ու", "- ն ր ս"),
    Language("eu", "", "b d g h k l m n p r s t tx tz x z", "a e i o u ai", "- k n z"),
    Language("cy", "", "b c ch d dd f ff g ng h l ll m n p r rh s t th", "a e i o u w y ae", "- n r d s"),
    Language("ga", "", "b bh c ch d g gh l m mh n p r s t th", "a á e é i í o ó u ú", "- n r s ch"),
    Language("sw", "", "b ch d dh f g h j k l m n ng' ny p r s sh t v w y z mb nd", "a e i o u", weight=1.5),
    Language("om", "", "b c d dh f g h j k l m n ny ph q r s sh t x y", "a e i o u aa ee", "- n l"),
    Language("tn", "", "b d f g h j k kg l m n ng p ph r s t th tl ts w", "a e i o ô u", "- ng"),
    Language("id", "", "b c d g h j k l m n ng ny p r s t w y", "a e i o u", "- - n ng k r t"),
    Language("mi", "", "h k m n ng p r t w wh", "a e i o u ā ē ī ō ū"),
    Language("qu", "", "ch h k l ll m n ñ p q r s t w y k' t'", "a i u", "- - n q y"),
    Language("gn", "", "ch g h j k l m mb n nd ñ p r s t v", "a e i o u y ã"),
    Language("kl", "", "g j k l m n p q r s t v", "a i u aa ii uu", "- - q t k"),
    Language("ku", "", _PLAIN + " ç ş x q w", "a e ê i î o u û", "- n r k"),
    Language("uz", "", _PLAIN + " q x ch sh gʻ", "a e i o u oʻ", "- n r k"),
)
LANGUAGES: Final = WITH_LISTS + INVENTED


@cache
def _opened(name: str) -> mmap.mmap:
    with (FOLDER / name).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _usable(word: str) -> bool:
    return 2 <= len(word) <= 14 and word.isalpha() and not word.isupper() and word.lower() not in HELD_OUT_WORDS


def listed(name: str, source: np.random.Generator) -> str:
    """Draw a word: the line after a random place of the file (likelier after a long line, which is harmless)."""
    content = _opened(name)
    for _ in range(100):
        start = content.find(b"\n", int(source.integers(len(content)))) + 1
        line = content[start : content.find(b"\n", start)]
        word = line.decode("latin-1" if name in LATIN_1 else "utf-8")
        if _usable(word):
            return word
    return ""


def invented(language: Language, source: np.random.Generator) -> str:
    """Make a word of one to four syllables."""
    parts = []
    for _ in range(int(source.choice((1, 2, 3, 4), p=(0.2, 0.45, 0.25, 0.1)))):
        parts += [str(source.choice(each.split())) for each in (language.onsets, language.vowels, language.codas)]
    return unicodedata.normalize("NFC", "".join(parts).replace("-", ""))


def word(language: Language, source: np.random.Generator) -> str:
    """Draw or make one word of a language."""
    return listed(language.list, source) if language.list else invented(language, source)


def hashes() -> dict[str, str]:
    """SHA-256 of each word list."""
    return {
        each: hashlib.sha256((FOLDER / each).read_bytes()).hexdigest()
        for each in sorted({language.list for language in WITH_LISTS})
    }
