import { type FormEvent, useCallback, useEffect, useRef, useState } from "react";

import { addItem, ApiError, deleteItem, type Item, listItems, TITLE_LENGTH } from "./api";

export function App() {
  const [items, setItems] = useState<Item[]>();
  const [failure, setFailure] = useState<ApiError>();
  const [loading, setLoading] = useState(false);

  /** Runs a request; what goes wrong is shown, and cleared by the next one. */
  const attempt = useCallback(async (work: () => Promise<void>) => {
    try {
      await work();
      setFailure(undefined);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFailure(error);
      return false;
    }
  }, []);

  const load = useCallback(async () => {
    setLoading(true);
    await attempt(async () => setItems(await listItems()));
    setLoading(false);
  }, [attempt]);

  useEffect(() => {
    void load();
  }, [load]);

  const add = (title: string) =>
    attempt(async () => {
      const item = await addItem(title);
      setItems((known = []) => [item, ...known]);
    });

  const remove = (id: number) =>
    attempt(async () => {
      await deleteItem(id);
      setItems((known = []) => known.filter((item) => item.id !== id));
    });

  return (
    <main>
      <h1>Items</h1>
      <AddForm onAdd={add} />
      <div role="alert">{failure && <Failure error={failure} busy={loading} onRetry={load} />}</div>
      <section aria-label="All items" aria-busy={loading}>
        <List items={items} loading={loading} onRemove={remove} />
      </section>
    </main>
  );
}

function AddForm({ onAdd }: { onAdd: (title: string) => Promise<boolean> }) {
  const [title, setTitle] = useState("");
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const wanted = title.trim();
    if (!wanted || busy) return;
    setBusy(true);
    // What was typed stays until it is stored.
    if (await onAdd(wanted)) setTitle("");
    setBusy(false);
    input.current?.focus();
  }

  return (
    <form onSubmit={submit}>
      <label htmlFor="title">New item</label>
      <div className="row">
        <input
          id="title"
          ref={input}
          value={title}
          maxLength={TITLE_LENGTH}
          autoComplete="off"
          placeholder="What needs doing?"
          onChange={(event) => setTitle(event.target.value)}
        />
        <button type="submit" className="primary" disabled={busy || !title.trim()}>
          {busy ? "Adding…" : "Add"}
        </button>
      </div>
    </form>
  );
}

function Failure({ error, busy, onRetry }: { error: ApiError; busy: boolean; onRetry: () => void }) {
  return (
    <div className="failure">
      <p>
        {error.message}
        {error.requestId && <small>Reference: {error.requestId}</small>}
      </p>
      <button type="button" onClick={onRetry} disabled={busy}>
        {busy ? "Trying…" : "Try again"}
      </button>
    </div>
  );
}

interface ListProps {
  items: Item[] | undefined;
  loading: boolean;
  onRemove: (id: number) => Promise<boolean>;
}

function List({ items, loading, onRemove }: ListProps) {
  if (!items) return loading ? <p className="note">Loading…</p> : null;
  if (!items.length) return <p className="note">Nothing here yet. Add the first item above.</p>;
  return (
    <ul>
      {items.map((item) => (
        <Row key={item.id} item={item} onRemove={onRemove} />
      ))}
    </ul>
  );
}

function Row({ item, onRemove }: { item: Item; onRemove: (id: number) => Promise<boolean> }) {
  const [busy, setBusy] = useState(false);
  const created = new Date(item.created_at);

  async function remove() {
    setBusy(true);
    // A removed row is gone, so only a failure needs the button back.
    if (!(await onRemove(item.id))) setBusy(false);
  }

  return (
    <li>
      <span className="title">{item.title}</span>
      <time dateTime={item.created_at} title={created.toLocaleString()}>
        {created.toLocaleDateString(undefined, { day: "numeric", month: "short" })}
      </time>
      <button type="button" onClick={remove} disabled={busy} aria-label={`Delete ${item.title}`}>
        Delete
      </button>
    </li>
  );
}
