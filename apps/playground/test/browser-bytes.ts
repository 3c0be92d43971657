import { readFileSync } from "node:fs";
import type { BrowserContext, Page } from "playwright";

const PAGE_BYTES = 4096;

/**
 * Resident bytes of the browser's processes, its GPU process included: what a page cannot see of itself. The page's garbage
 * is collected before.
 */
export async function browserBytes(context: BrowserContext, page: Page): Promise<number> {
  const inPage = await context.newCDPSession(page);
  await inPage.send("HeapProfiler.collectGarbage");
  await inPage.detach();
  const session = await context.browser()!.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const pages = processInfo.map(({ id }) => Number(readFileSync(`/proc/${id}/statm`, "utf8").split(" ")[1]));
  return pages.reduce((sum, resident) => sum + resident, 0) * PAGE_BYTES;
}
