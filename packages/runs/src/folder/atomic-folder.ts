import { nodeFiles, nodePath } from "../node.ts";
import { makeFolder, WRITING } from "./atomic-file.ts";
import { checkUnused } from "./run-folder.ts";

/**
 * Make a folder that is whole or not there: written aside and renamed.
 * @param write fills the folder that it is given.
 * @throws FinegrainError where there is a folder that is not empty; and what `write` throws, of which nothing is left.
 */
export async function makeWholeFolder(path: string, write: (aside: string) => Promise<void>): Promise<void> {
  await checkUnused(path);
  const { rm, rename, rmdir } = nodeFiles();
  const folder = nodePath().resolve(path);
  const aside = `${folder}.${process.pid}${WRITING}`;
  try {
    await makeFolder(aside, path);
    await write(aside);
    await rmdir(folder).catch(() => {}); // an empty one that was there
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
}
