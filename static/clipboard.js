// The clipboard, where the browser lets a page write there.

/** Whether the text is on the clipboard. Browsers give it to pages from localhost or with TLS only. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
