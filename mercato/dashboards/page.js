// Shows the rows that the choices leave. Figures come as texts, made from the exact numbers: none is computed here.
// A stat has a row for each choice, and one, with an empty text, for all.
const content = JSON.parse(document.getElementById("content").textContent);
const choices = [...document.querySelectorAll("select[data-filter]")];
const fields = ["time", "series", "name", "row", "column", "value", "text"];

function shown(panel) {
  const kept = panel.rows.map((row, at) => [row, at]).filter(([row]) => choices.every((choice) => {
    const own = row.filters[choice.dataset.filter];
    return own === undefined || own === choice.value || (choice.value === "" && panel.kind !== "stat");
  }));
  return panel.limit ? kept.slice(0, panel.limit) : kept;
}

function cell(text, figure) {
  const made = document.createElement("td");
  made.textContent = text;
  if (figure) made.className = "n";
  return made;
}

const draw = {
  stat(card, panel, rows) {
    const [row, at] = rows[0];
    card.querySelectorAll(".stat b").forEach((place, number) => {
      place.textContent = row.cells[number];
      place.className = panel.colours ? panel.colours[at] : "";
    });
  },
  table(card, panel, rows) {
    const table = card.querySelector("table");
    const lines = rows.map(([row]) => {
      const line = document.createElement("tr");
      line.append(...row.cells.map((text, number) => cell(text, number >= Number(table.dataset.names))));
      return line;
    });
    table.tBodies[0].replaceChildren(...lines);
  },
  async chart(card, panel, rows) {
    const values = rows.map(([row]) => Object.fromEntries(fields.filter((name) => name in row).map((name) => [name, row[name]])));
    const spec = { ...panel.spec, data: { name: "rows", values } };
    panel.view?.finalize();
    const options = { ...content.embed, actions: false, renderer: "svg" };
    panel.view = (await vegaEmbed(card.querySelector(".chart"), spec, options)).view;
  },
};

async function show() {
  const currency = choices.find((choice) => choice.dataset.filter === "currency");
  document.querySelectorAll("span.currency").forEach((place) => { place.textContent = currency?.value ?? ""; });
  for (const card of document.querySelectorAll("[data-panel]")) {
    const panel = content.panels[card.dataset.panel];
    const rows = shown(panel);
    const whole = choices.map((choice) => choice.value && panel.whole[choice.dataset.filter]).filter(Boolean);
    card.querySelector(".whole").textContent = whole.join(" · ");
    card.querySelector(".whole").hidden = whole.length === 0;
    card.querySelector(".empty").hidden = rows.length > 0;
    card.querySelector(".body").hidden = rows.length === 0;
    if (rows.length) await (draw[panel.kind] ?? draw.chart)(card, panel, rows);
  }
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
}

choices.forEach((choice) => choice.addEventListener("change", show));
show();
