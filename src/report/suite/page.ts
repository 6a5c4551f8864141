// The style and the script of report.html.

export const PAGE_STYLE = `
:root { --background: #ffffff; --text: #1f2933; --muted: #56616d; --line: #d5dae0; --stripe: #f6f8fa; --link: #0b5cad; --learned: #c8ecd4; --weighted: #fbe3b5; }
@media (prefers-color-scheme: dark) {
  :root { --background: #161b22; --text: #e6edf3; --muted: #9aa7b4; --line: #333c47; --stripe: #1c232c; --link: #79b8ff; --learned: #1f5135; --weighted: #5c4715; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--background); color: var(--text);
  font: 15px/1.5 system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 26px; margin: 0; }
h2 { font-size: 20px; margin: 40px 0 12px; padding-bottom: 6px; border-bottom: 1px solid var(--line); }
h3 { font-size: 16px; margin: 24px 0 8px; }
.subtitle { margin: 4px 0 0; color: var(--muted); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--muted); font-weight: 600; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th[aria-sort='ascending'] button::after { content: ' \\25B2'; }
th[aria-sort='descending'] button::after { content: ' \\25BC'; }
tbody tr:nth-child(even) { background: var(--stripe); }
.left { text-align: left; }
@media (min-width: 900px) { td.left { white-space: normal; } }
.right { text-align: right; }
td[title] { text-decoration: underline dotted var(--muted); text-underline-offset: 3px; cursor: help; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 8px 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
li { overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: 10px 12px; background: var(--stripe); border: 1px solid var(--line); border-radius: 4px; }
pre.marked { white-space: pre-wrap; overflow-wrap: anywhere; color: var(--muted); font-size: 13px; }
mark { background: var(--learned); color: var(--text); border-radius: 2px; }
mark.weighted { background: var(--weighted); cursor: help; }
figure { margin: 24px 0; }
figcaption { font-weight: 600; margin-left: 12px; }
.chart { width: 100%; }
@media (max-width: 600px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 8px; } }
`;

export const PAGE_SCRIPT = `
const dark = matchMedia('(prefers-color-scheme: dark)');
const charts = [...document.querySelectorAll('.chart')].map((element) => {
  const chart = echarts.init(element, null, { renderer: 'svg' });
  const options = chartOptions[Number(element.dataset.chart)];
  const draw = () => chart.setOption(dark.matches ? options.dark : options.light, true);
  draw();
  return { chart, draw };
});
dark.addEventListener('change', () => charts.forEach(({ draw }) => draw()));
addEventListener('resize', () => charts.forEach(({ chart }) => chart.resize()));

for (const button of document.querySelectorAll('th button')) {
  button.addEventListener('click', () => {
    const heading = button.parentElement;
    const body = heading.closest('table').tBodies[0];
    const column = heading.cellIndex;
    const ascending = heading.getAttribute('aria-sort') !== 'ascending';
    for (const other of heading.parentElement.cells) other.setAttribute('aria-sort', 'none');
    heading.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
    const keyOf = (row) => {
      const { dataset, textContent } = row.cells[column];
      return dataset.value === undefined ? textContent : Number(dataset.value);
    };
    const compare = (a, b) =>
      typeof a === 'number' && typeof b === 'number' ? a - b
        : typeof a === 'number' ? -1 : typeof b === 'number' ? 1 : a.localeCompare(b);
    const sign = ascending ? 1 : -1;
    body.append(...[...body.rows].sort((a, b) => sign * compare(keyOf(a), keyOf(b))));
  });
}
`;
