namespace MemVirt.Simulation.Traces.Mvt;

/// <summary>
/// The reader's phrases of one chapter. A phrase's references lie one after another in <see cref="Cells"/>, those of data
/// with address 0; where its data lay the last time stands, one word for each, in <see cref="LastAddresses"/>. Fixed memory.
/// </summary>
internal sealed class DecodedPhrases
{
    /// <summary>The packed references of all phrases, with room to copy a whole phrase past the last one.</summary>
    public readonly ulong[] Cells = new ulong[MvtFormat.MaxPhraseBookReferences + MvtFormat.PhraseReferences];

    /// <summary>Where each data reference lay the last time, bits 47:0.</summary>
    public readonly ulong[] LastAddresses = new ulong[MvtFormat.MaxPhraseBookReferences + MvtFormat.PhraseReferences];

    /// <summary>The phrases by token.</summary>
    public readonly Phrase[] Phrases = new Phrase[MvtFormat.MaxPhrases];

    private int _cellCount;
    private int _addressCount;
    private ulong _fetchEnd;

    /// <summary>Phrases defined.</summary>
    public int Count { get; private set; }

    /// <summary>Forgets all phrases.</summary>
    public void Clear()
    {
        Count = 0;
        _cellCount = 0;
        _addressCount = 0;
        _fetchEnd = 0;
    }

    /// <summary>
    /// Defines the next phrase from the columns of definitions; false where they hold no well-formed one or there is no room.
    /// </summary>
    public bool TryDefine(ref DefinitionColumns columns, ulong lastData)
    {
        if (Count == MvtFormat.MaxPhrases
            || !columns.TryTakeLength(out int length)
            || _cellCount + length > MvtFormat.MaxPhraseBookReferences)
        {
            return false;
        }

        int addressStart = _addressCount;
        ulong dataMask = 0;
        ulong nextFetch = 0;
        bool hasFetch = false;
        for (int i = 0; i < length; i++)
        {
            if (!columns.TryTakeShape(out ReferenceKind kind, out int size))
            {
                return false;
            }

            if (kind != ReferenceKind.Fetch)
            {
                dataMask |= 1UL << i;
                LastAddresses[_addressCount++] = lastData;
                Cells[_cellCount + i] = new MemoryReference(kind, 0, size).Bits;
                continue;
            }

            if (!hasFetch)
            {
                hasFetch = true;
                if (!columns.TryTakeFetchStart(out ulong difference))
                {
                    return false;
                }

                nextFetch = _fetchEnd + difference;
            }

            Cells[_cellCount + i] = new MemoryReference(kind, nextFetch, size).Bits;
            nextFetch += (ulong)size;
        }

        _fetchEnd = hasFetch ? nextFetch : _fetchEnd;
        Phrases[Count++] = new Phrase(dataMask, _cellCount, addressStart, length);
        _cellCount += length;
        return true;
    }
}

/// <summary>Where a phrase's references and last addresses lie, and which of its references are data.</summary>
internal readonly record struct Phrase(ulong DataMask, int CellStart, int AddressStart, int Length);
