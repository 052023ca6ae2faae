// The search: sections of the book, with the sentence that answers, while one types. Its index and MiniSearch, which
// ranks, are loaded when a reader first comes to a search field.
(() => {
  const root = document.documentElement.dataset.content_root ?? "./";
  const SHOWN = 12;
  const load = (name) => new Promise((loaded, failed) => {
    const script = Object.assign(document.createElement("script"), { src: `${root}_static/${name}`, onload: loaded, onerror: failed });
    document.head.append(script);
  });

  // R-hat, r_hat, R hat and rhat are one word; K! is a word
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
    .replace(/(?<![\p{L}\p{N}])([rk])[-_ \u2010\u2011]?hat(?![\p{L}\p{N}])/gu, "$1hat").replace(/(?<![\p{L}\p{N}])k\s?!/gu, "kfactorial");
  const words = (text) => plain(text).match(/[\p{L}\p{N}]+(?:\.\p{N}+)?/gu) ?? [];
  const stem = (word) => (word.length > 4 ? word.replace(/(?:ing|ed|es|s)$/, "") : word);

  // what readers say for what the book says
  const SAME = {
    gmm: "gaussian mixture", unimodal: "mode", multimodal: "modes", bimodal: "modes", ess: "effective draws", mixing: "effective draws chains",
    treedepth: "divergences", stuck: "chains disagree", different: "disagree", export: "file csv", dirichlet: "stick", dp: "stick", rater: "annotators",
  };
  const meant = (query) => [query, ...words(query).map((word) => SAME[word] ?? "")].join(" ").trim();

  let index;
  const ready = () => (index ??= Promise.all([load("minisearch/minisearch.js"), load("sections.js")]).then(() => {
    const made = new MiniSearch({
      fields: ["title", "chapter", "text"], storeFields: ["address", "title", "chapter", "kind", "text"],
      tokenize: words, processTerm: stem,
      searchOptions: {
        boost: { title: 5, chapter: 1.5 }, prefix: (word) => word.length > 2, fuzzy: (word) => (word.length > 5 ? 0.2 : false),
        boostDocument: (id, word, { kind }) => ({ question: 2, term: 1.5, reference: 0.4 })[kind] ?? 1,
      },
    });
    made.addAll(bookSections.map(([address, title, chapter, kind, text], id) => ({ id, address, title, chapter, kind, text })));
    return made;
  }));

  // all words first; where too few sections have all of them, some; and a question once, not its section too
  const find = (made, query) => {
    const all = made.search(query, { combineWith: "AND" });
    const found = all.length < 3 ? [...all, ...made.search(meant(query))] : all;
    return [...new Map(found.toReversed().map((one) => [one.title.split("? ")[0].replace(/\?$/, ""), one])).values()].toReversed();
  };

  // the sentence with most of the words
  const answer = (text, query) => {
    const asked = new Set(words(query).map(stem));
    const score = (sentence) => new Set(words(sentence).map(stem).filter((word) => asked.has(word))).size;
    const sentences = text.match(/[^.?!]+(?:[.?!](?!\s)[^.?!]*)*[.?!]?/g) ?? [];
    const best = sentences.reduce((one, other) => (score(other) > score(one) ? other : one), sentences[0] ?? "").trim();
    return best.length > 220 ? `${best.slice(0, 220).replace(/\s\S*$/, "")} …` : best;
  };

  const listed = ({ address, title, chapter, kind, text }, query) => {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { href: root + address, textContent: title });
    const place = { question: "a question", term: "glossary" }[kind] ?? (chapter === title ? "chapter" : chapter);
    item.append(
      link, Object.assign(document.createElement("span"), { className: "search-place", textContent: place }),
      Object.assign(document.createElement("p"), { textContent: answer(text, query) }));
    return item;
  };

  const attach = (form, n) => {
    const field = form.querySelector("input");
    const count = Object.assign(document.createElement("p"), { className: "search-count" });
    count.setAttribute("role", "status");
    const list = Object.assign(document.createElement("ol"), { className: "search-results", id: `search-results-${n}` });
    form.after(count, list);
    let latest = 0;
    const show = async () => {
      const query = field.value.trim();
      const turn = ++latest;
      if (!query) return list.replaceChildren(), (count.textContent = "");
      const found = find(await ready(), query);
      // another letter may have been typed meanwhile
      if (turn !== latest) return;
      const many = found.length > SHOWN ? `, the first ${SHOWN} of them here` : "";
      count.textContent = found.length ? `${found.length} section${found.length > 1 ? "s" : ""}${many}` : "Nothing found. Try fewer words.";
      list.replaceChildren(...found.slice(0, SHOWN).map((one) => listed(one, query)));
      list.dataset.answers = query;
    };
    field.addEventListener("focus", () => ready().catch(() => (count.textContent = "The search could not be loaded.")));
    field.addEventListener("input", show);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      list.querySelector("a")?.click();
    });
    // up and down through the results; the field comes before the first
    form.parentElement.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const stops = [field, ...list.querySelectorAll("a")];
      const at = stops.indexOf(document.activeElement);
      if (!step || at < 0 || !stops[at + step]) return;
      event.preventDefault();
      stops[at + step].focus();
    });
    list.addEventListener("click", () => form.closest("dialog")?.close());
    return { field, show };
  };

  document.addEventListener("DOMContentLoaded", () => {
    const fields = [...document.querySelectorAll("form.bd-search")].map(attach);
    const here = fields.find(({ field }) => field.closest(".bd-search-container"));
    if (!here) return;
    here.field.value = new URLSearchParams(location.search).get("q") ?? "";
    here.field.focus();
    here.field.select();
    here.show();
  });
})();
