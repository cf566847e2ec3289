/** An item as the backend returns it. */
export interface Item {
  id: number;
  title: string;
  /** ISO 8601, with the zone. */
  created_at: string;
}

/** The longest title that the backend accepts. */
export const TITLE_LENGTH = 200;

// Above the backend's own limit of 10 s, so that its explanation arrives first.
const TIMEOUT_MS = 15_000;

/** A request that failed; the message is meant for the person at the screen. */
export class ApiError extends Error {
  /** HTTP status, or 0 if there was no answer. */
  readonly status: number;
  /** Finds the request in the logs; empty if there was no answer. */
  readonly requestId: string;

  constructor(message: string, status: number, requestId: string) {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }
}

export async function listItems(): Promise<Item[]> {
  return request("GET", "/api/items", undefined, (response) => response.json());
}

export async function addItem(title: string): Promise<Item> {
  return request("POST", "/api/items", { title }, (response) => response.json());
}

/** Resolves too if the item is already gone: that is what was wanted. */
export async function deleteItem(id: number): Promise<void> {
  try {
    await request("DELETE", `/api/items/${id}`, undefined, async () => {});
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  }
}

/** Sends a request and reads its answer; fails with nothing but ApiError. */
async function request<T>(
  method: string,
  path: string,
  body: unknown,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
  } catch {
    throw new ApiError("The server can't be reached. Check your connection.", 0, "");
  }
  const requestId = response.headers.get("X-Request-ID") ?? "";
  if (!response.ok) throw new ApiError(await explain(response), response.status, requestId);
  try {
    return await read(response);
  } catch {
    // Cut short, or not from the backend at all: a wrong route, a login page.
    throw new ApiError("The server's answer can't be read.", response.status, requestId);
  }
}

async function explain(response: Response): Promise<string> {
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") return detail;
  } catch {
    // Not JSON: an answer of something between here and the backend.
  }
  if (response.status === 422) return "This title isn't accepted.";
  if (response.status >= 500) return "The service is not available at the moment.";
  return `The request was refused (${response.status}).`;
}
