"""Documents: what a workspace has, written so that writing it again changes nothing unless the workspace changed."""

from comfynb.documents.catalog import catalog_document
from comfynb.documents.document import Document, Section
from comfynb.documents.endpoints import endpoints_document
from comfynb.documents.names import names_document
from comfynb.documents.writing import ENDINGS, check_ending, write_document

__all__ = [
    "ENDINGS",
    "Document",
    "Section",
    "catalog_document",
    "check_ending",
    "endpoints_document",
    "names_document",
    "write_document",
]
