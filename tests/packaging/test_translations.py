"""The compiled translations are in the repository: they must be those of the .po files, and French must be whole."""

import pytest

from tools import messages

PACKAGES = ["wagtail_referrals", "oscar_integration", "example_site"]


@pytest.mark.parametrize("package", PACKAGES)
def test_french_is_complete_and_compiled(package):
    files = messages.catalogs(messages.ROOT / package)
    assert "fr" in {path.parent.parent.name for path in files}
    assert [line for path in files for line in messages.problems(path)] == []


def _write(tmp_path, monkeypatch, text, *, source="from x import gettext as _\n_('Yes')\n"):
    """Make a package with one French .po file, and its .mo file, and return the path of the .po file."""
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    po = tmp_path / "shop" / "locale" / "fr" / "LC_MESSAGES" / "django.po"
    po.parent.mkdir(parents=True)
    # The forms of the plural as our own files state them: what Babel assumes without them changes with its version.
    header = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: fr\\n"\n'
        '"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'
    )
    po.write_text(header + text, encoding="utf-8")
    (tmp_path / "shop" / "words.py").write_text(source, encoding="utf-8")
    messages.compile_catalog(po)
    return po


def test_a_whole_catalog_has_no_problems(tmp_path, monkeypatch):
    po = _write(tmp_path, monkeypatch, 'msgid "Yes"\nmsgstr "Oui"\n')
    assert messages.problems(po) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('msgid "Yes"\nmsgstr ""\n', "not translated: 'Yes'"),
        ('#, fuzzy\nmsgid "Yes"\nmsgstr "Oui"\n', "fuzzy: 'Yes'"),
        ('msgid "No"\nmsgstr "Non"\n', "not collected yet"),
        (
            'msgid "Yes"\nmsgstr "Oui"\n\n#, python-format\nmsgid "%(name)s wins"\nmsgstr "%(nom)s gagne"\n',
            "in '%(name)s wins'",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, monkeypatch, text, complaint):
    po = _write(tmp_path, monkeypatch, text)
    assert [line for line in messages.problems(po) if complaint in line]


def test_texts_with_context_and_plural_compare(tmp_path, monkeypatch):
    po = _write(
        tmp_path,
        monkeypatch,
        'msgctxt "answer"\nmsgid "Yes"\nmsgstr "Oui"\n\n'
        'msgid "a friend"\nmsgid_plural "friends"\nmsgstr[0] "un proche"\nmsgstr[1] "des proches"\n',
        source="_p = pgettext('answer', 'Yes'), ngettext('a friend', 'friends', 2)\n",
    )
    assert messages.problems(po) == []


def test_a_stale_compiled_file_is_seen(tmp_path, monkeypatch):
    po = _write(tmp_path, monkeypatch, 'msgid "Yes"\nmsgstr "Oui"\n')
    po.write_text(po.read_text(encoding="utf-8").replace('"Oui"', '"Mais oui"'), encoding="utf-8")
    assert any("not made from this" in line for line in messages.problems(po))


def test_update_collects_from_code_and_templates(tmp_path, monkeypatch):
    po = _write(tmp_path, monkeypatch, 'msgid "Yes"\nmsgstr "Oui"\n\nmsgid "Gone"\nmsgstr "Parti"\n')
    (tmp_path / "shop" / "page.html").write_text(
        '{% load i18n %}\n<p>{% translate "Hello" context "page" %}</p>\n'
        "  {% blocktranslate count n=n trimmed %}\n  {{ n }} friend\n  {% plural %}\n  {{ n }} friends\n"
        "  {% endblocktranslate %}\n",
        encoding="utf-8",
    )
    messages.update(po)
    catalog = messages._read(po)
    assert {(m.context, m.id) for m in catalog if m.id} == {
        (None, "Yes"),
        ("page", "Hello"),
        (None, ("%(n)s friend", "%(n)s friends")),
    }
    assert catalog["Yes"].string == "Oui"


def test_a_package_without_catalog_gets_one(tmp_path, monkeypatch):
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "words.py").write_text("_('Yes')\n", encoding="utf-8")
    messages.begin(tmp_path / "shop")
    (po,) = messages.catalogs(tmp_path / "shop")
    messages.update(po)
    assert [line.partition(": ")[2] for line in messages.problems(po)] == ["not translated: 'Yes'"]
