/** Why something was stopped in the background. */
const HIDDEN = "hidden";

/**
 * Stop what shows the device's speed when the tab goes to the background: a browser slows it down there, so that figures would say too little.
 * @param running what is under way, if anything is.
 */
export function stopInBackground(running: () => AbortController | undefined): void {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) running()?.abort(HIDDEN);
  });
}

/** How something ended that could be stopped, for the person. */
export function ending({ aborted, reason }: AbortSignal): string {
  if (!aborted) return "Done";
  return reason === HIDDEN ? "Stopped, since this tab went to the background, where browsers slow it down" : "Stopped";
}
