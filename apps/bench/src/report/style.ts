/** The page's style sheet. Charts take their colours from its variables; below 760 px it shows their narrow drawings. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --card: #ffffff; --text: #1d2026; --quiet: #5b616b; --rule: #e3e4e6; --link: #1d5fd1;
  --reference: #1d2026; --mark: #fdecc8; --bar: #1f6feb; --bad: #a61b1b;
  --shade: rgb(0 0 0 / 0.22);
  --series-0: #1f6feb; --series-1: #c2500b; --series-2: #00a700; --series-3: #920da0;
  --series-4: #5f001a; --series-5: #035807; --series-6: #fb03fb; --series-7: #14009b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --text: #e8e9ec; --quiet: #a3a9b4; --rule: #343943; --link: #8ab4ff;
    --reference: #f2f2f2; --mark: #5a4510; --bar: #79aaff; --bad: #ff9a93;
    --shade: rgb(0 0 0 / 0.8);
    --series-0: #79aaff; --series-1: #ff9f5f; --series-2: #0dff7a; --series-3: #ff8cff;
    --series-4: #2af1ff; --series-5: #da5e88; --series-6: #4bb98a; --series-7: #fddeff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header, main { max-width: 928px; margin: 0 auto; padding: 0 12px; }
header { padding-top: 28px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.35rem; margin: 0 0 4px; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
header p, .lead, figcaption p { color: var(--quiet); margin: 0; }
.lead { margin-bottom: 14px; max-width: 80ch; text-wrap: pretty; }
figcaption p { font-size: 0.875rem; line-height: 1.4; max-width: 90ch; text-wrap: pretty; }
a { color: var(--link); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 12px 0 0; }
nav a { display: inline-block; padding: 4px 0; }
section { margin: 36px 0; }
figure, .scroll { margin: 0 0 16px; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
figure { padding: 14px 14px 10px; }
.keys { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 16px; padding: 0; margin: 8px 0 0; font-size: 0.875rem; }
.keys li { display: flex; align-items: center; gap: 6px; }
.keys svg { flex: none; }
.drawing { margin-top: 8px; --plot-background: var(--card); }
.drawing svg { display: block; width: 100%; height: auto; max-width: 560px; }
.drawing.wide { display: none; }
@media (min-width: 760px) {
  .drawing.narrow { display: none; }
  .drawing.wide { display: block; }
  .drawing.wide svg { max-width: none; }
}
.drawing text { white-space: pre; }
/* A shadow stands at each side on which a table goes on: covers of the card's colour scroll with it, the shadows do not. */
.scroll {
  overflow-x: auto;
  background:
    linear-gradient(to right, var(--card) 40%, transparent) 0 0 / 48px 100% no-repeat local,
    linear-gradient(to left, var(--card) 40%, transparent) 100% 0 / 48px 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) 0 0 / 16px 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) 100% 0 / 16px 100% no-repeat scroll,
    var(--card);
}
/* The table of all results has all the page's width. */
#results .scroll { --room: min(1720px, 100vw - 40px); width: max(100%, var(--room)); margin-inline: min(0px, (100% - var(--room)) / 2); }
.scroll:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding: 10px 14px 4px; }
caption span { position: sticky; left: 14px; display: inline-block; max-width: min(800px, 84vw); }
th, td { text-align: left; padding: 6px 14px; border-top: 1px solid var(--rule); vertical-align: top; }
thead th { border-top: 0; color: var(--quiet); font-weight: 600; white-space: nowrap; }
tbody th[scope="row"] { font-weight: 600; white-space: nowrap; }
td small { color: var(--quiet); white-space: nowrap; font-size: 0.8125rem; }
@media (max-width: 759px) { th, td { padding: 6px 8px; } th:first-child, caption { padding-left: 14px; } }
.all td, .all th { white-space: nowrap; padding: 5px 10px; }
.all .number { text-align: right; }
.case th { background: var(--page); }
.case span { position: sticky; left: 14px; display: inline-block; max-width: min(800px, 84vw); white-space: normal; }
.shares td, .shares th[scope="col"] { min-width: 7rem; white-space: normal; }
.bar { background: linear-gradient(to right, var(--bar) var(--share), transparent 0) no-repeat 0 100% / 100% 3px; }
.failure td { color: var(--bad); white-space: normal; }
mark { background: var(--mark); color: inherit; border-radius: 3px; padding: 0 4px; }
@media print { figure, .scroll { break-inside: avoid; } }
`;
