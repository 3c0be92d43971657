import { one } from "./dom.ts";
import { isText } from "./dropped-text.ts";
import { findEngines } from "./engines.ts";
import { MeasureView } from "./measure/measure-view.ts";
import { TrainView } from "./train/train-view.ts";
import { WatchView } from "./watch/watch-view.ts";

const VIEWS = ["watch", "train", "measure"] as const;

let shown: (typeof VIEWS)[number] = "watch";

/** The view that the address names; an address of anything else, as the skip link's, leaves it as it is. */
const wanted = (): (typeof VIEWS)[number] => VIEWS.find((name) => location.hash.startsWith(`#${name}`)) ?? shown;

function showWanted(): void {
  shown = wanted();
  for (const name of VIEWS) {
    one(document, `#${name}-view`, HTMLElement).hidden = name !== shown;
    const link = one(document, `nav a[href="#${name}"]`, HTMLElement);
    if (name === shown) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${shown[0]!.toUpperCase()}${shown.slice(1)} · finegrain playground`;
}

showWanted();
const engines = await findEngines();
one(document, "#device", HTMLElement).textContent = engines.summary;
one(document, "#isolation", HTMLElement).hidden = crossOriginIsolated;
const watch = new WatchView(one(document, "#watch-view", HTMLElement), engines);
const train = new TrainView(one(document, "#train-view", HTMLElement), engines);
const measure = new MeasureView(one(document, "#measure-view", HTMLElement), engines);
const views = { watch, train, measure };

addEventListener("hashchange", () => {
  showWanted();
  if (shown !== "watch") watch.leave();
  if (shown === "measure") void measure.openLink();
  else measure.leave();
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (relatedTarget === null) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (!event.dataTransfer) return;
  // A text is for training, wherever it is dropped; lines of results are text too, and for the view that reads them.
  if (shown === "watch" && isText(event.dataTransfer)) location.hash = "#train";
  void views[wanted()].drop(event.dataTransfer);
});
